"""What people open: feedback, report, and the cleaning of what students wrote."""
