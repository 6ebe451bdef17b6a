"""What every reader needs: text in its encoding, JSON and XML with one-line errors, values as tools write them, files by
the names that annotations give them.
"""
