"""The floors: what somebody would write by hand for one job, on raw drivers, with no framework of ours around it."""
