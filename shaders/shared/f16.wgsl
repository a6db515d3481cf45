// Values of 16 bits, which not every adapter has. Must come before everything else.
enable f16;
