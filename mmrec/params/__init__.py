"""The schema of `params.yaml` and its reader; imports nothing heavier than pydantic.

Sections of the pipeline have no defaults: what a run depends on is written in the file.
Only what changes results is a parameter; devices, workers and paths of caches are not.
"""
