"""Judges a run from its history, the database and the topics: is anything missing, doubled or out of sequence?"""
