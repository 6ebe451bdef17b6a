
def draft_config(source, *, teacher, data_root, output, say):
    raise NotImplementedError
