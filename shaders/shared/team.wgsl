// Invocations that share out one image or plane.

const TEAM = 64u;
