// Planes are read four values at a time.
alias Planar = vec4f;
