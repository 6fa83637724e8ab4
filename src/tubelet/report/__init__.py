"""Reports: what an evaluation found, for people; nothing is measured again."""
