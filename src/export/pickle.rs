//! Python's pickle format, as much of protocol 2 as tensors in lists and dictionaries need.
//!
//! What each opcode does is in Python's `Lib/pickletools.py`. Nothing is memoised, which other writers do to save
//! space.

/// A Python value.
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Dict(Vec<(String, Value)>),
    /// An object named by its module and name.
    Global(&'static str, &'static str),
    /// The result of calling the first with the elements of the second.
    Call(Box<Value>, Vec<Value>),
    /// An object that the reader finds by this identification (a persistent id).
    Persistent(Box<Value>),
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn tuple(values: impl IntoIterator<Item = usize>) -> Self {
        // Nothing in memory has 2⁶³ elements or more.
        Self::Tuple(values.into_iter().map(|value| Self::Int(value as i64)).collect())
    }

    /// The whole pickle.
    pub fn dump(&self) -> Result<Vec<u8>, String> {
        let mut out = b"\x80\x02".to_vec();
        self.push(&mut out)?;
        out.push(b'.');
        Ok(out)
    }

    fn push(&self, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Bool(true) => out.push(0x88),
            Self::Bool(false) => out.push(0x89),
            Self::Int(value) => match i32::try_from(*value) {
                Ok(value) => {
                    out.push(b'J');
                    out.extend(value.to_le_bytes());
                }
                Err(_) => {
                    out.extend([0x8a, 8]);
                    out.extend(value.to_le_bytes());
                }
            },
            Self::Float(value) => {
                out.push(b'G');
                // The only number that the format stores with the most significant byte first.
                out.extend(value.to_be_bytes());
            }
            Self::Text(text) => push_text(text, out)?,
            Self::List(values) => {
                out.extend(b"](");
                values.iter().try_for_each(|value| value.push(out))?;
                out.push(b'e');
            }
            Self::Tuple(values) => push_tuple(values, out)?,
            Self::Dict(entries) => {
                out.extend(b"}(");
                for (key, value) in entries {
                    push_text(key, out)?;
                    value.push(out)?;
                }
                out.push(b'u');
            }
            Self::Global(module, name) => out.extend(format!("c{module}\n{name}\n").bytes()),
            Self::Call(function, arguments) => {
                function.push(out)?;
                push_tuple(arguments, out)?;
                out.push(b'R');
            }
            Self::Persistent(id) => {
                id.push(out)?;
                out.push(b'Q');
            }
        }
        Ok(())
    }
}

fn push_text(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let length = u32::try_from(text.len()).map_err(|_| "a text of more than 4 GiB")?;
    out.push(b'X');
    out.extend(length.to_le_bytes());
    out.extend(text.bytes());
    Ok(())
}

fn push_tuple(values: &[Value], out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'(');
    values.iter().try_for_each(|value| value.push(out))?;
    out.push(b't');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pickletools.dis` shows what these are.
    #[test]
    fn values_have_their_opcodes() {
        for (value, bytes) in [
            (Value::Int(-2), &b"J\xfe\xff\xff\xff"[..]),
            (Value::Int(1 << 40), b"\x8a\x08\0\0\0\0\0\x01\0\0"),
            (Value::Float(1.5), b"G\x3f\xf8\0\0\0\0\0\0"),
            (Value::text("é"), b"X\x02\0\0\0\xc3\xa9"),
            (Value::List(vec![Value::Bool(true)]), b"](\x88e"),
            (Value::List(vec![]), b"](e"),
            (Value::tuple([1]), b"(J\x01\0\0\0t"),
            (Value::Dict(vec![("a".into(), Value::Bool(false))]), b"}(X\x01\0\0\0a\x89u"),
            (Value::Call(Box::new(Value::Global("m", "n")), vec![]), b"cm\nn\n(tR"),
            (Value::Persistent(Box::new(Value::tuple([]))), b"(tQ"),
        ] {
            assert_eq!(value.dump().unwrap(), [b"\x80\x02", bytes, b"."].concat());
        }
    }
}
