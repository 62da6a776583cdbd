"""Tests of the providers' emulator."""
