"""Made absences: real video in which the target is truly away for a known time (docs/ABSENCES.md)."""
