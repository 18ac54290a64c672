"""Data sets as they are downloaded, one file a layout: what lies there tells which one it is, not how it is named."""
