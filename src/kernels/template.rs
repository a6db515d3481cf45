//! Writing out kernels whose WGSL is a template, in Jinja's language: loops are unrolled there, because
//! drivers do not reliably do it, and names get numbers.

use minijinja::{Environment, Error, UndefinedBehavior, Value, syntax::SyntaxConfig};

/// The WGSL that a template is with these values.
pub(super) fn fill(template: &str, values: &Value) -> String {
    let write = || -> Result<String, Error> {
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.render_str(template, values)
    };
    // A test writes out every template. An error would appear in the compiler's message.
    write().unwrap_or_else(|error| format!("{error:#}"))
}
