"""The tests: flat, one file a module, sentences for names."""
