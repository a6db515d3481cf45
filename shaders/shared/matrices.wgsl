// Cooperative matrices, which few adapters have. Must come before everything else.
enable wgpu_cooperative_matrix;
