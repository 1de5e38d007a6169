"""The schema's history: sequential files `NNNN_{pre|post}_what.py`; pre runs before the new code, post after it."""
