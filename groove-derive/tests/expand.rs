//! What the derives write, as text: one feature per snapshot. Review with `cargo insta review`.

use insta::assert_snapshot;
use proc_macro2::{TokenStream, TokenTree};

#[path = "../src/pipeline/mod.rs"]
mod pipeline;

/// The code that `derive` writes for `input`, formatted.
fn expand(derive: fn(TokenStream) -> pipeline::Expansion, input: &str) -> String {
    let expansion = derive(input.parse().expect("the input is a list of tokens"));
    let code = expansion.into_tokens();
    prettyplease::unparse(&syn::parse2(code).expect("the expansion is a list of items"))
}

/// The messages for `input`, in the order in which they are reported.
fn mistakes(derive: fn(TokenStream) -> pipeline::Expansion, input: &str) -> Vec<String> {
    let expansion = derive(input.parse().expect("the input is a list of tokens"));
    expansion.mistakes.into_iter().flatten().map(|mistake| mistake.to_string()).collect()
}

/// Asserts the expansion, with the input above it.
macro_rules! assert_expansion {
    ($derive:ident, $input:literal) => {
        insta::with_settings!({ omit_expression => true, description => $input }, {
            assert_snapshot!(expand(pipeline::$derive, $input));
        });
    };
}

const TRANSFER: &str = "
    #[groove(orphaned_ids, derived(expires_at: u64 = Transfer::expires_at))]
    #[groove(index(by_ledger_code = (ledger, code)))]
    pub struct Transfer {
        #[index(primary)] pub id: u128,
        #[index] pub debit_account_id: u128,
        #[index(unique, optional)] pub pending_id: u128,
        #[index(optional)] pub user_data_64: u64,
        #[groove(ignore)] pub timeout: u32,
        #[index] pub ledger: u32,
        #[index] pub code: u16,
        pub timestamp: u64,
    }";

#[test]
fn indexes_expand_in_declaration_order() {
    assert_expansion!(
        groove,
        "struct Transfer { #[index] debit: u128, #[index] ledger: u32, timestamp: u64 }"
    );
}

#[test]
fn a_primary_key_is_a_unique_tree_and_the_type_that_get_takes() {
    assert_expansion!(groove, "struct Account { #[index(primary)] id: u128, timestamp: u64 }");
}

#[test]
fn orphaned_ids_are_a_word_of_the_schema() {
    assert_expansion!(
        groove,
        "#[groove(orphaned_ids)] struct Account { #[index(primary)] id: u128, timestamp: u64 }"
    );
}

#[test]
fn a_timestamp_alone_has_no_rows_and_no_trees() {
    assert_expansion!(groove, "struct Tick { timestamp: u64 }");
}

#[test]
fn a_timestamp_may_have_another_name_and_place() {
    assert_expansion!(
        groove,
        "#[groove(timestamp = at)] struct Tick { at: u64, #[groove(ignore)] price: i64 }"
    );
}

#[test]
fn an_optional_index_leaves_absent_values_out() {
    assert_expansion!(groove, "struct Order { #[index(optional)] parent: u64, timestamp: u64 }");
}

#[test]
fn a_unique_index_may_be_optional() {
    assert_expansion!(
        groove,
        "struct Transfer { #[index(unique, optional)] pending_id: u128, timestamp: u64 }"
    );
}

#[test]
fn an_ignored_field_is_stored_and_has_no_tree() {
    assert_expansion!(groove, "struct Order { #[groove(ignore)] note: [u8; 32], timestamp: u64 }");
}

#[test]
fn the_bare_ignore_is_the_same_as_that_of_groove() {
    let long = "struct Order { #[groove(ignore)] note: u64, timestamp: u64 }";
    let bare = "struct Order { #[ignore] note: u64, timestamp: u64 }";
    assert_eq!(expand(pipeline::groove, long), expand(pipeline::groove, bare));
}

#[test]
fn the_index_of_groove_is_the_same_as_the_short_one() {
    let long = "struct Order { #[groove(index(unique))] number: u64, timestamp: u64 }";
    let short = "struct Order { #[index(unique)] number: u64, timestamp: u64 }";
    assert_eq!(expand(pipeline::groove, long), expand(pipeline::groove, short));
}

#[test]
fn rest_index_indexes_every_unmarked_field() {
    assert_expansion!(
        groove,
        "#[groove(rest(index))]
         struct Trip { #[index(primary)] id: u64, #[groove(ignore)] fare: u32, zone: u16, timestamp: u64 }"
    );
}

#[test]
fn rest_ignore_leaves_every_unmarked_field_out() {
    assert_expansion!(
        groove,
        "#[groove(rest(ignore))] struct Trip { #[index] zone: u16, fare: u32, timestamp: u64 }"
    );
}

#[test]
fn a_compound_index_takes_a_tuple_of_references() {
    assert_expansion!(
        groove,
        "#[groove(rest(ignore), index(by_ledger_code = (ledger, code)))]
         struct Transfer { ledger: u32, code: u16, timestamp: u64 }"
    );
}

#[test]
fn a_derived_index_calls_its_function() {
    assert_expansion!(
        groove,
        "#[groove(derived(expires_at: u64 = Transfer::expires_at, version = 2))]
         struct Transfer { #[groove(ignore)] timeout: u32, timestamp: u64 }"
    );
}

#[test]
fn compound_indexes_come_after_fields_and_derived_ones_last() {
    let code = expand(
        pipeline::groove,
        "#[groove(derived(a: u64 = a, b: u32 = b), index(c = (x, y), d = (y, x)))]
         struct Order { #[index] x: u64, #[index] y: u64, timestamp: u64 }",
    );
    let names: Vec<_> = code
        .lines()
        .filter(|line| line.contains("::Index<"))
        .map(|line| line.trim().split([' ', ':']).nth(1).expect("a name follows `const`"))
        .collect();
    assert_eq!(names, ["X", "Y", "C", "D", "A", "B"]);
}

#[test]
fn names_in_the_file_may_differ_from_those_in_the_code() {
    assert_expansion!(
        groove,
        "#[groove(name = \"orders\")]
         struct Order { #[index(name = \"customer\")] customer_id: u64, timestamp: u64 }"
    );
}

#[test]
fn raw_identifiers_lose_their_prefix_in_names() {
    assert_expansion!(groove, "struct Event { #[index] r#type: u16, timestamp: u64 }");
}

#[test]
fn the_path_of_the_crate_may_be_given() {
    assert_expansion!(
        groove,
        "#[groove(crate = \"::engine::store\")] struct Event { #[index] kind: u16, timestamp: u64 }"
    );
}

#[test]
fn handles_have_the_visibility_of_the_struct() {
    assert_expansion!(groove, "pub(crate) struct Event { #[index] kind: u16, pub timestamp: u64 }");
}

#[test]
fn the_struct_of_the_readme() {
    insta::with_settings!({ omit_expression => true, description => TRANSFER }, {
        assert_snapshot!(expand(pipeline::groove, TRANSFER));
    });
}

#[test]
fn a_mistake_leaves_a_stand_in_with_the_same_names() {
    assert_expansion!(
        groove,
        "struct Order { #[index(uniqe)] number: u64, #[index] customer: u64, timestamp: u64 }"
    );
}

#[test]
fn a_forest_opens_shows_and_reads_each_groove() {
    assert_expansion!(
        forest,
        "pub struct Ledger { pub accounts: Groove<Account>, transfers: Groove<Transfer> }"
    );
}

#[test]
fn names_of_a_forest_may_be_given() {
    assert_expansion!(
        forest,
        "#[groove(snapshot = Frozen, crate = \"engine\")]
         struct Shop { #[groove(name = \"orders_2\")] orders: Groove<Order> }"
    );
}

#[test]
fn an_enum_is_stored_as_its_discriminant() {
    assert_expansion!(field, "enum Side { Buy, Sell = 7 }");
}

#[test]
fn the_repr_of_an_enum_is_its_width() {
    let code = expand(pipeline::field, "#[repr(u16)] enum Side { Buy, Sell }");
    assert!(code.contains("const WIDTH: ::core::primitive::usize = 2;"), "{code}");
}

#[test]
fn a_newtype_is_stored_as_its_inner_value() {
    assert_expansion!(field, "struct AccountId(u128);");
}

#[test]
fn a_newtype_may_name_its_field() {
    assert_expansion!(field, "struct Price { cents: i64 }");
}

#[test]
fn a_type_known_by_name_only_has_an_alias() {
    assert_expansion!(
        groove,
        "struct Order {
            #[index(primary)] id: OrderId,
            #[index(optional)] side: Option<Side>,
            timestamp: u64,
        }"
    );
}

#[test]
fn arrays_texts_and_options_of_primitive_types_need_no_alias() {
    assert_expansion!(
        groove,
        "struct Game {
            #[index] opening: [u8; 3],
            #[index] white: Text<24>,
            #[index] result: Option<bool>,
            #[index] id: NonZeroU64,
            timestamp: u64,
        }"
    );
}

#[test]
fn a_compound_index_has_the_aliases_of_its_parts() {
    assert_expansion!(
        groove,
        "#[groove(rest(ignore), index(by_sensor_kind = (sensor, kind)))]
         struct Reading { sensor: u32, kind: Kind, celsius: f32, timestamp: u64 }"
    );
}

#[test]
fn self_in_a_derived_index_is_the_struct() {
    assert_expansion!(
        groove,
        "#[groove(rest(ignore), derived(zone: Zone = Self::zone))]
         struct Trip { fare: u32, timestamp: u64 }"
    );
}

#[test]
fn unique_keys_are_checked_and_never_updated() {
    assert_expansion!(
        groove,
        "struct Order { #[index(primary)] id: u64, #[index(unique)] number: u32, timestamp: u64 }"
    );
}

#[test]
fn a_link_leads_to_a_field_that_is_documented() {
    let code = expand(
        pipeline::groove,
        "pub struct Order { #[index] pub shown: u64, #[index] hidden: u64, #[index] pub r#type: u64,
         pub timestamp: u64 }",
    );
    let links: Vec<_> =
        code.lines().filter(|line| line.contains("The index on")).map(str::trim).collect();
    assert!(links[0].starts_with("/// The index on [`shown`](field@Self::shown)."), "{code}");
    assert!(links[1].starts_with("/// The index on `hidden`."), "{code}");
    assert!(links[2].starts_with("/// The index on `r#type`."), "{code}");
}

#[test]
fn an_enum_may_have_negative_discriminants_and_a_width() {
    assert_expansion!(field, "#[repr(i16)] enum Level { Low = -300, High = 1 }");
}

#[test]
fn a_mistake_in_a_field_type_leaves_a_stand_in() {
    assert_expansion!(field, "enum Kind { Market, Limit(u64) }");
}

#[test]
fn a_mistake_in_a_forest_leaves_a_stand_in() {
    assert_expansion!(forest, "struct Ledger { accounts: Groove<Account>, opened: u64 }");
}

#[test]
fn what_is_no_struct_is_an_object_all_the_same() {
    assert_expansion!(groove, "enum Order { Buy, Sell }");
}

#[test]
fn expanding_twice_gives_the_same_bytes() {
    assert_eq!(expand(pipeline::groove, TRANSFER), expand(pipeline::groove, TRANSFER));
}

#[test]
fn every_name_of_the_standard_library_is_an_absolute_path() {
    let forest = "struct Ledger { accounts: Groove<Account> }";
    let outputs = [
        pipeline::groove(TRANSFER.parse().expect("tokens")),
        pipeline::groove("struct Empty { timestamp: u64, typo: u16 }".parse().expect("tokens")),
        pipeline::forest(forest.parse().expect("tokens")),
        pipeline::field("enum Side { Buy, Sell }".parse().expect("tokens")),
        pipeline::field("struct Id(Inner);".parse().expect("tokens")),
    ];
    for output in outputs {
        assert_paths_are_absolute(output.code);
    }
}

/// Checks that no name of the prelude stands without `::` before it. `u128`, `u64`, `u32` and `u16`
/// are left out: the inputs above use them as types of fields.
fn assert_paths_are_absolute(tokens: TokenStream) {
    const PRELUDE: [&str; 12] = [
        "Option", "Some", "None", "Result", "Ok", "Err", "usize", "u8", "bool", "i128", "str",
        "core",
    ];
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Group(group) => assert_paths_are_absolute(group.stream()),
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Ident(ident) if PRELUDE.iter().any(|name| ident == name) => {
                assert!(colons >= 2, "`{ident}` can be shadowed");
                colons = 0;
            }
            _ => colons = 0,
        }
    }
}

#[test]
fn every_mistake_in_a_struct_is_reported_at_once() {
    let messages = mistakes(
        pipeline::groove,
        "#[groove(orphaned_ids, nmae = \"orders\", index(by_a = (a), by_b = (b, c)))]
         struct Order {
             #[index(uniqe)] a: u64,
             b: u64,
             #[index] #[groove(ignore)] d: u64,
             #[index] e: String,
         }",
    );
    insta::with_settings!({ omit_expression => true }, {
        assert_snapshot!(messages.join("\n"));
    });
}

#[test]
fn every_mistake_in_an_attribute_is_reported_at_once() {
    let messages = mistakes(
        pipeline::groove,
        "struct Order { #[index(primry, 7, optional(x), name = 3, unique unique)] a: u64, timestamp: u64 }",
    );
    insta::with_settings!({ omit_expression => true }, {
        assert_snapshot!(messages.join("\n"));
    });
}

#[test]
fn every_mistake_in_a_forest_is_reported_at_once() {
    let messages = mistakes(
        pipeline::forest,
        "#[groove(snapshto = Frozen)]
         struct Shop<T> { #[groove(nam = \"x\")] a: Groove<A>, #[groove(name = \"a\")] b: Groove<T> }",
    );
    assert_eq!(messages.len(), 4, "{messages:#?}");
}

#[test]
fn every_mistake_in_an_enum_is_reported_at_once() {
    let messages = mistakes(pipeline::field, "#[repr(usize)] enum E<T> { A(T), B {}, C }");
    assert_eq!(messages.len(), 4, "{messages:#?}");
}

#[test]
fn the_expansion_is_to_be_had_as_text() {
    let code = expand(
        pipeline::groove,
        "#[groove(expansion)] struct Event { #[index] kind: Option<u16>, timestamp: u64 }",
    );
    let file: syn::File = syn::parse_str(&code).expect("the expansion is a list of items");
    let text = file.items.iter().find_map(constant).expect("there is an `EXPANSION`");
    assert_snapshot!(text);
    let without = "struct Event { #[index] kind: Option<u16>, timestamp: u64 }";
    let read = prettyplease::unparse(&syn::parse_str(&text).expect("the text is Rust"));
    assert_eq!(read, expand(pipeline::groove, without), "the text is the rest of the code");
}

/// The value of the constant `EXPANSION`, if `item` is the impl that has it.
fn constant(item: &syn::Item) -> Option<String> {
    let syn::Item::Impl(block) = item else { return None };
    block.items.iter().find_map(|item| match item {
        syn::ImplItem::Const(constant) if constant.ident == "EXPANSION" => match &constant.expr {
            syn::Expr::Lit(literal) => match &literal.lit {
                syn::Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
