// Values of 16 bits, which not every adapter has. Stands before all else.
enable f16;
