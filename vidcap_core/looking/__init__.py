"""What samplers make of small pictures and of the sizes of compressed frames: scenes, and what is new."""
