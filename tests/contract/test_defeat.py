"""The contract on DeFeat: neck, backbone, and RoI logits on the teacher's, the student's and both's proposals."""

from kdbench.testing.methods import MethodContract

NECK = {"neck_fg_weight": 4.0, "neck_bg_weight": 16.0}
OFF = {"neck_fg_weight": 0.0, "neck_bg_weight": 0.0}
BACKBONE = {**OFF, "backbone_fg_weight": 1.0, "backbone_bg_weight": 1.0, "backbone_stages": [1, 3]}
PLAIN_NECK = {**NECK, "adapt": False, "decay": "linear", "ignore_mode": "exclude", "exclude_padding": True}
HEAD = {"head_fg_weight": 1.0, "head_bg_weight": 1.0, "head_fg_temperature": 2.0}
ON_TEACHERS = {**OFF, **HEAD, "head_proposals": "teacher"}
ON_STUDENTS = {**OFF, **HEAD, "head_proposals": "student"}
ON_BOTH = {**NECK, **HEAD, "head_proposals": "both"}


class TestNeck(MethodContract):
    method = "defeat"
    params = NECK


class TestNeckWithoutAdapters(MethodContract):
    method = "defeat"
    params = PLAIN_NECK
    equal_channels = True
    zero_on_identical = True
    processes = False


class TestBackbone(MethodContract):
    method = "defeat"
    params = BACKBONE
    processes = False


class TestHeadOnTeacherProposals(MethodContract):
    method = "defeat"
    params = ON_TEACHERS
    families = ("two_stage",)
    processes = False


class TestHeadOnStudentProposals(MethodContract):
    method = "defeat"
    params = ON_STUDENTS
    families = ("two_stage",)
    processes = False


class TestHeadOnBothProposals(MethodContract):
    method = "defeat"
    params = ON_BOTH
    families = ("two_stage",)
    doubled_batch = None  # each process draws its own sample of proposals
