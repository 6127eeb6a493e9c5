"""Between user and package: options, checked arguments and JSON, globs, files that appear whole."""
