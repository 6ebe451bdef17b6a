"""Distillation methods, one file each. `registry` finds them by name; `base` is the contract of a new one."""
