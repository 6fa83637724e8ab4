// Files of symbols: read and written as SPEC.md says.

export {};
