"""Audit: chain + bundle -> Report. Is all of it true?"""
