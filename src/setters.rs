//! Structs that callers fill in by methods named as their fields, so that more fields can follow in any release.

/// The struct, which other crates cannot write out, and a method for each field that sets it.
macro_rules! with_setters {
    ($(#[$about:meta])* pub struct $name:ident $(<$life:lifetime>)? {
        $($(#[$doc:meta])* pub $field:ident: $type:ty,)+
    }) => {
        $(#[$about])*
        #[non_exhaustive]
        pub struct $name $(<$life>)? {
            $($(#[$doc])* pub $field: $type,)+
        }

        impl $(<$life>)? $name $(<$life>)? {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $field(self, $field: $type) -> Self {
                    Self { $field, ..self }
                }
            )+
        }
    };
}
pub(crate) use with_setters;
