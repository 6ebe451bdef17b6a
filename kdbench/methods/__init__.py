"""Distillation methods, a file or a folder each. `registry` finds them by name; `base` is the contract of a new one."""
