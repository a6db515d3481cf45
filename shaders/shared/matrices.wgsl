// Cooperative matrices, which few adapters have. Stands before all else.
enable wgpu_cooperative_matrix;
