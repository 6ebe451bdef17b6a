"""Wrong input of every command: one line that says what is wrong, exit code 2, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return int(done.value.code or 0), out, err


CASES = [
    (["serch"], "did you mean 'search'"),
    (["search"], "Missing argument 'METHOD"),
    (["search", "defeat", "icdd"], "did you mean 'icd'"),
    (["search", "all", "defeat"], "all means every method"),
    (["search", "defeat", "defeat"], "'defeat' is named twice"),
    (["search", "defeat", "none"], "none is the baseline"),
    (["search", "defeat", "fgd", "--set", "method.decay=linear"], "say which, e.g. defeat.decay"),
    (["search", "defeat", "fgd", "--set", "defeat.deacy=linear"], "did you mean 'decay'"),
    (["search", "defeat", "fgd", "--space", "mine.yaml"], "say which, e.g. defeat=FILE"),
    (["search", "defeat", "fgd", "--space", "fdg=mine.yaml"], "did you mean 'fgd'"),
    (["search", "defeat", "fgd", "--space", "fgd=nowhere.yaml"], "does not exist"),
    (["search", "defeat", "--hours", "0"], "--hours 0: must be above 0"),
    (["search", "defeat", "--hours", "nan"], "must be a finite number"),
    (["search", "defeat", "--prior", "2"], "--prior 2: must be 0 to 1"),
    (["search", "defeat", "--finalists", "0"], "--finalists 0"),
    (["search", "defeat", "--patience", "0"], "--patience 0"),
    (["search", "defeat", "--allocate", "half"], "'half' is not one of"),
    (["search", "defeat", "--from", "nothing"], "no study 'nothing'"),
    (["search", "defeat", "-o", "{tmp}"], "add --dry-run"),
    (["extend"], "Missing argument"),
    (["extend", "nothing", "--trials", "+3"], "no study 'nothing'"),
    (["extend", "nothing", "--trials", "some"], "'some' is no number"),
    (["extend", "nothing", "--trials", "1.5"], "give a whole number"),
    (["retry", "nothing"], "no study 'nothing'"),
    (["retry", "nothing", "--only", "pruned"], "no end state 'pruned'"),
    (["enqueue", "nothing", "defeat"], "no study 'nothing'"),
    (["search", "defaet"], "did you mean 'defeat'"),
    (["search", "defeat", "--task", "shaps"], "did you mean 'shapes'"),
    (["search", "defeat", "--task", "nowhere.yaml"], "does not exist"),
    (["search", "defeat", "--trials", "0"], "--trials 0"),
    (["search", "defeat", "--trials", "-3"], "--trials -3"),
    (["search", "defeat", "--trials", "many"], "not a valid integer"),
    (["search", "defeat", "--epochs", "0"], "--epochs 0"),
    (["search", "defeat", "--seeds", "0"], "--seeds 0"),
    (["search", "defeat", "--concurrent", "0"], "--concurrent 0"),
    (["search", "defeat", "--cpus", "-1"], "--cpus -1"),
    (["search", "defeat", "--gpus", "-1"], "--gpus -1"),
    (["search", "defeat", "--seed", "-1"], "--seed -1"),
    (["search", "defeat", "--max-bad", "few"], "'few' is no share"),
    (["bench", "methods_shapes", "--max-bad", "1.5"], "'1.5' is no share"),
    (["train", "recipe.yaml", "--max-bad", "-1%"], "'-1%' is no share"),
    (["search", "defeat", "--set", "nonsense"], "KEY=VALUE"),
    (["search", "defeat", "--set", "schedule.lrr=1"], "did you mean"),
    (["search", "defeat", "--set", "schedule.lr=fast"], "schedule.lr"),
    (["search", "defeat", "--set", "method.neck_weight=1"], "did you mean 'neck_"),
    (["search", "defeat", "--set", "method.neck_fg_weight=-1"], "neck_fg_weight"),
    (["search", "defeat", "--set", "method.head_fg_weight=1"], "one-stage"),
    (["search", "defeat", "--set", "student.model.backbone.dpeth=18"], "dpeth"),
    (
        ["search", "defeat", "--set", "student.config=retinanet/retinanet_r50_fpn_1x_coc"],
        "nearest of mmdet's own: retinanet/retinanet_r50_fpn_1x_coco",
    ),
    (["search", "defeat", "--space", "nowhere.yaml"], "does not exist"),
    (["search", "defeat", "--space", "none"], "is a space of method 'none'"),
    (["search", "defeat", "--algorithm", "tpe"], "'tpe' is not one of"),
    (["search", "defeat", "--scheduler", "hyperband"], "is not one of"),
    (["search", "defeat", "--teacher", "nowhere.pth"], "nowhere.pth"),
    (["search", "defeat", "--name", "a/b"], "--name"),
    (["search", "defeat", "--task", "bccd"], "--data-root"),
    (["search", "defeat", "--task", "bccd", "--data-root", "nowhere"], "nowhere"),
    (["search", "defeat", "--task", "coco/retinanet_r101_r50_1x", "--data-root", "{tmp}"], "instances_train2017.json"),
    (["search", "defeat", "--tracking-uri", "nonsense://x"], "nonsense"),
    (["search", "defeat", "--storage", "s3://bucket"], "--storage"),
    (["resume"], "Missing argument"),
    (["resume", "nothing"], "no study 'nothing'"),
    (["leaderboard", "nothing"], "nothing"),
    (["leaderboard", "--format", "xml"], "is not one of"),
    (["leaderboard", "--format", "html"], "-o report.html"),
    (["bench"], "Missing argument 'SUITE'"),
    (["bench", "defeat_vok"], "did you mean 'defeat_voc'"),
    (["bench", "methods_shapes", "--grade", "tiny"], "is not one of"),
    (["bench", "methods_shapes", "--rows", "none,mgdd"], "did you mean 'mgd'"),
    (["bench", "methods_shapes", "--seeds", "0"], "--seeds 0"),
    (["bench", "methods_shapes", "-o", "{tmp}"], "add --dry-run"),
    (["bench", "methods_shapes", "--rows", "none", "--teacher", "bccd=nowhere.pth"], "--teacher bccd="),
    (["bench", "methods_shapes", "--rows", "pkd", "--teacher", "nowhere.pth"], "nowhere.pth"),
    (["bench", "methods_shapes", "--rows", "none", "--name", "a/b"], "--name"),
    (["bench", "methods_bccd"], "--data-root"),
    (["export", "nothing"], "Missing option '-o'"),
    (["export", "nothing", "-o", "out"], "no study 'nothing'"),
    (["train"], "Missing argument"),
    (["train", "nowhere.yaml"], "nowhere.yaml"),
    (["train", "{broken}"], "line 2"),
    (["train", "{list}"], "keys and values"),
    (["train", "{wrong}"], "did you mean 'task'"),
    (["ui", "--port", "0"], "0"),
    (["list", "cars"], "is not one of"),
]


@pytest.mark.parametrize(("arguments", "words"), CASES, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_one_line_and_exit_code_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("task: shapes\nparams: {a: [1}\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "wrong.yaml").write_text("tsk: shapes\n")
    places = {name: str(tmp_path / f"{name}.yaml") for name in ("broken", "list", "wrong")}
    code, out, err = run(capsys, *(a.format(tmp=tmp_path, **places) for a in arguments))
    assert code == 2, err
    assert out == ""
    line = err.strip()
    assert "\n" not in line
    assert line.startswith("kdbench: ")
    assert words in line
    assert not (tmp_path / "kdbench-runs" / "studies").exists()


def test_an_annotation_file_cut_in_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "data"
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    for split in ("train", "val", "test"):
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("one\n")
    (root / "JPEGImages" / "one.jpg").write_bytes(b"")
    (root / "Annotations" / "one.xml").write_text("<annotation><size><width>10</width><hei")
    code, _, err = run(
        capsys, "search", "defeat", "--task", "bccd", "--data-root", root, "--storage", tmp_path / "runs"
    )
    assert code == 2
    assert "one.xml" in err
    assert err.strip().count("\n") == 0


def test_debug_shows_the_stack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "resume", "nothing", "--storage", tmp_path, "--debug")
    assert code == 2
    assert "Traceback" in err
