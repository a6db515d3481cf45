// Planes are read a value at a time.
alias Planar = f32;
