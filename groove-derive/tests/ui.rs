//! What the compiler says: one mistake per file, the message in the `.stderr` beside it. Messages of
//! the compiler itself move with its version; regenerate with `TRYBUILD=overwrite` and read them.

#[test]
fn each_mistake_is_reported_and_each_spelling_compiles() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    for topic in [
        "shape",
        "timestamp",
        "mark",
        "index",
        "struct_option",
        "name",
        "compound",
        "derived",
        "type",
        "forest",
        "field",
        "query",
    ] {
        cases.compile_fail(format!("tests/ui/{topic}/*.rs"));
    }
}
