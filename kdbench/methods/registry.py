"""Names -> methods. Built-ins are imported when asked for; other packages add theirs by an entry point:

[options.entry_points]
kdbench.methods =
    mimic = my_package.mimic:Mimic
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from kdbench.errors import InputError, brief, did_you_mean

if TYPE_CHECKING:
    from kdbench.methods.base import DetectorInfo, Method, MethodParams

GROUP = "kdbench.methods"
BUILT_IN = {
    "none": "kdbench.methods.none:NoDistillation",
    "defeat": "kdbench.methods.defeat.method:DeFeat",
    "fgfi": "kdbench.methods.fgfi.method:FGFI",
    "fitnet": "kdbench.methods.fitnet:FitNet",
    "fgd": "kdbench.methods.fgd.method:FGD",
    "ld": "kdbench.methods.ld.method:LD",
    "pkd": "kdbench.methods.pkd:PKD",
    "cwd": "kdbench.methods.cwd:CWD",
    "mgd": "kdbench.methods.mgd.method:MGD",
    "icd": "kdbench.methods.icd.method:ICD",
    "lgd": "kdbench.methods.lgd.method:LGD",
}


PRESETS = {
    "defeat_neck": "defeat",
    "defeat_full": "defeat",
    "fgfi_original": "fgfi",
    "fgd_focal": "fgd",
    "ld_full": "ld",
    "pkd_two_stage_teacher": "pkd",
    "cwd_cls": "cwd",
    "mgd_channel": "mgd",
    "icd_one_stage": "icd",
    "icd_two_stage": "icd",
    "icd_without_inheriting": "icd",
    "icd_megengine": "icd",
    "lgd_large": "lgd",
    "lgd_fcos_r50": "lgd",
}
"""The presets of built-in methods, so that a name is known without importing what stands behind it."""


def names() -> list[str]:
    """Every method's name, sorted. Imports none of them."""
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def get(name: str) -> type[Method]:
    """The method of that name.

    Raises:
        InputError: no such method, two of that name, or a package's method that cannot be used.

    Example:
        >>> get("defeat").title
        'imitate FPN features and RoI logits, objects and background apart'
    """
    offered = list(entry_points(group=GROUP, name=name))
    packages = sorted({_package(entry) for entry in offered})
    if name in BUILT_IN:
        if offered:
            raise InputError(
                f"method {name!r} is built into kdbench and package {', '.join(packages)} offers one of the same name "
                f"(entry point group {GROUP}); rename it there or uninstall that package"
            )
        module, _, attribute = BUILT_IN[name].partition(":")
        method: type[Method] = getattr(import_module(module), attribute)
        return method
    if not offered:
        raise _unknown(name, names())
    if len(packages) > 1:
        raise InputError(f"method {name!r} is offered by packages {', '.join(packages)}; uninstall all but one")
    return _load(offered[0])


def resolve(name: str) -> tuple[type[Method], dict[str, Any]]:
    """A method's name, or the name of one of its presets, as the method and the preset's values.

    Raises:
        InputError: neither a method nor a preset.

    Example:
        >>> resolve("defeat_full")[1]["head_fg_weight"]
        2.0
    """
    if name in names():
        return get(name), {}
    found: dict[str, type[Method]] = {}
    for method in _usable():
        for preset in method.presets:
            found.setdefault(preset, method)
    if name in found:
        return found[name], dict(found[name].presets[name])
    raise _unknown(name, [*names(), *found])


def method_of(name: str) -> str | None:
    """The method of a name or of a preset of a built-in one, without importing any; None where a package's may have it.

    Raises:
        InputError: neither a method nor a preset.
    """
    if name in names():
        return name
    if name in PRESETS:
        return PRESETS[name]
    if any(entry.name not in BUILT_IN for entry in entry_points(group=GROUP)):
        return None
    raise _unknown(name, [*names(), *PRESETS])


def parse_params(name: str, params: dict[str, Any], where: str) -> MethodParams:
    """A method's own parameters, validated.

    Raises:
        InputError: names `where`, the key and the nearest known key.
    """
    return get(name).Params.parse(params, where)


def build(name: str, params: dict[str, Any], student: DetectorInfo, teacher: DetectorInfo | None) -> Method:
    """The method with these parameters for these detectors. What `params` leaves out is the default of `Params`.

    Raises:
        InputError: wrong parameters, a missing teacher, or what the method refuses.
    """
    method = get(name)
    if method.needs_teacher and teacher is None:
        raise InputError(f"method {name} needs a teacher; name one in the task or with --teacher")
    return method(parse_params(name, params, f"params of method {name}"), student, teacher)


def _unknown(name: str, known: list[str]) -> InputError:
    return InputError(f"unknown method {brief(name)}; {did_you_mean(name, known, 'kdbench list methods')}")


def _usable() -> list[type[Method]]:
    """Built-ins first; a package's broken method is passed over here, and reported when it is asked for."""
    methods = []
    for name in sorted(names(), key=lambda name: (name not in BUILT_IN, name)):
        try:
            methods.append(get(name))
        except InputError:
            continue
    return methods


def _load(entry: EntryPoint) -> type[Method]:
    from kdbench.methods.base import Method

    blame = f"method {entry.name!r} of package {_package(entry)} ({entry.value})"
    try:
        loaded = entry.load()
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"{blame} cannot be imported ({type(error).__name__}: {reason}); repair or uninstall that package"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Method)):
        raise InputError(f"{blame} is not a class derived from kdbench.methods.base.Method; correct the entry point")
    if getattr(loaded, "name", None) != entry.name:
        raise InputError(f"{blame} calls itself {getattr(loaded, 'name', None)!r}; set name = {entry.name!r} in it")
    return loaded


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module.partition(".")[0]
