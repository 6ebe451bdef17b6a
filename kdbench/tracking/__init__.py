"""MLflow, in both directions: `writer` records runs, `reader` reads them, `store` says where, `ui` shows them.

This is the only room that imports mlflow, and it does so inside functions.
"""
