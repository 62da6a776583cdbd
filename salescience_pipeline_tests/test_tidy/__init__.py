"""Tests of the tidy functions: our own look-alikes always, recorded answers where SALESCIENCE_CORPUS names them."""
