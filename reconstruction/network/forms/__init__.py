"""A network in other forms: half precision and INT8, each one file that every engine reads."""
