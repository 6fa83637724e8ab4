"""A linear transform along what moves: a KLT of groups whose frames were moved onto their first one."""
