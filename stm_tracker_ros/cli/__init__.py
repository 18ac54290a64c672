"""The command line: parsing of arguments only, one file a command."""
