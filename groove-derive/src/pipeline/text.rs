//! Tokens as text: the same text for the same tokens, whatever the compiler's own way to print them.
//!
//! Not a formatter of Rust: it breaks lines at statements, items and long lists, which is enough to
//! read an expansion and to compare two of them.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Lists that are longer are broken, an element per line.
const WIDTH: usize = 90;
/// Operators of two characters, which are printed as one.
const PAIRS: [&str; 6] = ["::", "->", "=>", "..", "<=", "&&"];
/// Operators with a space on both sides.
const SPACED: [&str; 6] = ["=", "->", "=>", "<=", "&&", "+"];
/// Words that do not belong to what follows them.
const KEYWORDS: [&str; 8] = ["as", "dyn", "for", "impl", "in", "mut", "static", "use"];

/// `tokens` as lines.
pub(crate) fn lines(tokens: TokenStream) -> String {
    let mut text = Text::default();
    text.tokens(tokens, Break::AfterItems);
    text.written.trim_end().to_owned()
}

/// Where lines end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Break {
    Nowhere,
    AfterItems,
    AfterCommas,
}

#[derive(Default)]
struct Text {
    written: String,
    indent: usize,
}

impl Text {
    fn tokens(&mut self, tokens: TokenStream, breaks: Break) {
        let mut tokens = tokens.into_iter().peekable();
        let mut is_attribute = false;
        let mut angles = 0_usize; // open `<`: a comma inside is no end of a line
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) => self.word(&word.to_string()),
                TokenTree::Literal(literal) => self.word(&literal.to_string()),
                TokenTree::Group(group) if is_attribute => {
                    self.group(&group, Break::Nowhere);
                    if breaks != Break::Nowhere {
                        self.new_line();
                    }
                }
                TokenTree::Group(group) => {
                    self.group(&group, if angles > 0 { Break::Nowhere } else { breaks });
                    let goes_on = match tokens.peek() {
                        Some(TokenTree::Punct(next)) => next.as_char() != '#',
                        Some(TokenTree::Ident(word)) => word == "else",
                        Some(_) => false,
                        None => true,
                    };
                    let is_block = group.delimiter() == Delimiter::Brace && angles == 0;
                    if is_block && breaks == Break::AfterItems && !goes_on {
                        self.new_line();
                    }
                }
                TokenTree::Punct(punct) => {
                    let mut operator = punct.to_string();
                    if let (Spacing::Joint, Some(TokenTree::Punct(next))) =
                        (punct.spacing(), tokens.peek())
                    {
                        let pair = format!("{operator}{next}");
                        if PAIRS.contains(&pair.as_str()) {
                            operator = pair;
                            tokens.next();
                        }
                    }
                    match operator.as_str() {
                        "<" => angles += 1,
                        ">" => angles = angles.saturating_sub(1),
                        _ => {}
                    }
                    self.operator(&operator, if angles > 0 { Break::Nowhere } else { breaks });
                    is_attribute = operator == "#";
                    continue;
                }
            }
            is_attribute = false;
        }
    }

    fn word(&mut self, word: &str) {
        if self.written.ends_with(|last: char| last.is_alphanumeric() || "_\"})>".contains(last)) {
            self.written.push(' ');
        }
        self.written.push_str(word);
    }

    fn operator(&mut self, operator: &str, breaks: Break) {
        let ends_line = match operator {
            ";" => breaks == Break::AfterItems,
            "," => breaks != Break::Nowhere,
            _ => false,
        };
        let is_spaced = SPACED.contains(&operator);
        if is_spaced && !self.written.ends_with(' ') || self.ends_with_keyword() {
            self.written.push(' ');
        }
        self.written.push_str(operator);
        if ends_line {
            self.new_line();
        } else if is_spaced || [",", ";", ":"].contains(&operator) {
            self.written.push(' ');
        }
    }

    /// Whether the last word is one after which something new begins.
    fn ends_with_keyword(&self) -> bool {
        let word = |character: char| character.is_alphanumeric() || character == '_';
        let start = self.written.rfind(|character| !word(character)).map_or(0, |end| end + 1);
        KEYWORDS.contains(&&self.written[start..])
    }

    fn group(&mut self, group: &Group, breaks: Break) {
        let (open, close, inner) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")", Break::AfterCommas),
            Delimiter::Bracket => ("[", "]", Break::AfterCommas),
            Delimiter::Brace => ("{", "}", Break::AfterItems),
            Delimiter::None => return self.tokens(group.stream(), breaks),
        };
        let is_block = inner == Break::AfterItems;
        if is_block && !self.written.ends_with([' ', '<', '\n']) || self.ends_with_keyword() {
            self.written.push(' ');
        }
        self.written.push_str(open);
        let inline = inline(group.stream());
        let is_long = match is_block {
            _ if breaks == Break::Nowhere || inline.is_empty() => false,
            true => inline.len() > WIDTH / 2 || inline.contains([';', '{']),
            false => self.column() + inline.len() > WIDTH,
        };
        if is_long {
            self.indent += 1;
            self.new_line();
            self.tokens(group.stream(), inner);
            self.indent -= 1;
            self.new_line();
            self.written.push_str(close);
        } else {
            let space = if is_block && !inline.is_empty() { " " } else { "" };
            self.written.push_str(&format!("{space}{inline}{space}{close}"));
        }
    }

    fn column(&self) -> usize {
        self.written.len() - self.written.rfind('\n').map_or(0, |end| end + 1)
    }

    /// Ends the line, unless it is empty, and indents the next.
    fn new_line(&mut self) {
        let kept = self.written.trim_end().len();
        self.written.truncate(kept);
        if !self.written.is_empty() {
            self.written.push('\n');
        }
        self.written.push_str(&"    ".repeat(self.indent));
    }
}

/// `tokens` on one line.
fn inline(tokens: TokenStream) -> String {
    let mut text = Text::default();
    text.tokens(tokens, Break::Nowhere);
    text.written.trim_end().to_owned()
}
