"""Feature extractors, one file each; `*_files.py` turn the names of published weights into ours."""

ARCHITECTURES = ("inception_v3", "mobilenet_v2", "resnet18", "resnet50")
