//! Structures that shaders read, and a description of them that tests compare with the WGSL.

/// A field of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name, in Rust and in WGSL. Fields `pad`, `pad0` … only fill up the size.
    pub name: &'static str,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// If it is a structure, its fields.
    pub fields: &'static [Field],
}

/// What shaders read: a structure, or something in one.
pub(crate) trait Fields {
    const FIELDS: &'static [Field] = &[];
}

impl Fields for u32 {}
impl Fields for f32 {}
impl<T, const N: usize> Fields for [T; N] {}

/// Declares a structure that shaders read, with what [`Fields`] says of it.
macro_rules! params {
    (
        $(#[$of_struct:meta])*
        $vis:vis struct $name:ident {
            $($(#[$of_field:meta])* $field_vis:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$of_struct])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        $vis struct $name {
            $($(#[$of_field])* $field_vis $field: $type,)*
        }

        impl $crate::gpu::Fields for $name {
            const FIELDS: &'static [$crate::gpu::Field] = &[$($crate::gpu::Field {
                name: stringify!($field),
                offset: std::mem::offset_of!($name, $field),
                fields: <$type as $crate::gpu::Fields>::FIELDS,
            }),*];
        }
    };
}
pub(crate) use params;
