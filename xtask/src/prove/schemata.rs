//! Every change of a source file at once, each behind a switch that is read when a test runs.
//!
//! So all of them are compiled once (mutant schemata: Untch, Offutt and Harrold, ISSTA 1993). `cargo-mutants`
//! lists the changes; here they are written beside what they change.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use serde::Deserialize;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Arm, Block, Expr, ExprBinary, ExprStruct, FieldValue, ReturnType, Signature};

/// A change that `cargo mutants --list --json` names.
#[derive(Debug, Deserialize)]
pub(super) struct Mutant {
    /// With file, line and column.
    pub(super) name: String,
    pub(super) file: String,
    genre: String,
    replacement: String,
    span: Place,
}

impl Mutant {
    /// Whether it leaves out an arm, so that the others may not be all.
    pub(super) fn is_of_an_arm(&self) -> bool {
        self.genre == "MatchArm"
    }
}

#[derive(Debug, Deserialize)]
struct Place {
    start: Position,
}

/// Both from 1 on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    line: usize,
    column: usize,
}

/// Writes the switches of a file's mutants, by their numbers, into its text; which of them are in it.
///
/// # Errors
/// If the text, or what is to replace something in it, is no Rust.
pub(super) fn switch(
    text: &str,
    mutants: &BTreeMap<u32, &Mutant>,
) -> Result<(String, BTreeSet<u32>)> {
    let mut file = syn::parse_file(text).map_err(|error| anyhow!("no Rust: {error}"))?;
    let mut switches = Switches { mutants, written: BTreeSet::new(), failure: None };
    switches.visit_file_mut(&mut file);
    if let Some(failure) = switches.failure {
        return Err(failure);
    }
    // A switch begins a line: what the compiler says of the line is said of the mutant.
    let text =
        file.into_token_stream().to_string().replace("if crate :: mutant", "\nif crate :: mutant");
    Ok((text, switches.written))
}

/// The numbers of the switches on some lines of such a text, or else of those before and behind.
pub(super) fn on_lines(text: &str, first: usize, last: usize) -> BTreeSet<u32> {
    let numbers: Vec<_> = text.lines().map(number).collect();
    let (before, rest) = numbers.split_at(first.saturating_sub(1).min(numbers.len()));
    let (own, behind) = rest.split_at(last.saturating_sub(before.len()).min(rest.len()));
    let found: BTreeSet<u32> = own.iter().flatten().copied().collect();
    let (before, behind) = (before.iter().flatten().next_back(), behind.iter().flatten().next());
    if found.is_empty() { before.into_iter().chain(behind).copied().collect() } else { found }
}

fn number(line: &str) -> Option<u32> {
    let (number, _) = line.strip_prefix("if crate :: mutant :: is_on (")?.split_once("u32")?;
    number.trim().parse().ok()
}

/// What the switches ask, for the end of the crate's root: the one mutant that the environment names.
pub(super) const MODULE: &str = "
mod mutant {
    pub(crate) fn is_on(number: u32) -> bool {
        static ON: std::sync::OnceLock<Option<u32>> = std::sync::OnceLock::new();
        *ON.get_or_init(|| std::env::var(\"MUTANT\").ok()?.parse().ok()) == Some(number)
    }
}
";

struct Switches<'m> {
    mutants: &'m BTreeMap<u32, &'m Mutant>,
    written: BTreeSet<u32>,
    failure: Option<anyhow::Error>,
}

impl Switches<'_> {
    /// The mutants of a kind that begin where something does, each with what it puts there.
    fn at(&self, span: Span, genre: &str) -> Vec<(u32, String)> {
        let start = span.start();
        let place = Position { line: start.line, column: start.column.saturating_add(1) };
        let own = |mutant: &Mutant| mutant.span.start == place && mutant.genre == genre;
        let own = self.mutants.iter().filter(|(_, mutant)| own(mutant));
        own.map(|(number, mutant)| (*number, mutant.replacement.clone())).collect()
    }

    /// Parses what was put together, and notes the mutants as written.
    fn parsed<T: syn::parse::Parse>(&mut self, numbers: &[u32], tokens: TokenStream) -> Option<T> {
        match syn::parse2(tokens) {
            Ok(parsed) => {
                self.written.extend(numbers);
                Some(parsed)
            }
            Err(error) => {
                self.failure.get_or_insert(anyhow!("mutants {numbers:?}: {error}"));
                None
            }
        }
    }

    fn replacement(&mut self, text: &str) -> TokenStream {
        text.parse().unwrap_or_else(|error| {
            self.failure.get_or_insert(anyhow!("{text}: {error}"));
            TokenStream::new()
        })
    }

    /// Has a function return something else before it does anything.
    fn function(
        &mut self,
        signature: &Signature,
        block: &mut Block,
        recurse: impl FnOnce(&mut Self, &mut Block),
    ) {
        // What is constant asks nothing of the environment.
        let Some(first) = block.stmts.first().filter(|_| signature.constness.is_none()) else {
            return;
        };
        let values = self.at(first.span(), "FnValue");
        recurse(self, block);
        let is_opaque =
            |kind: &ReturnType| kind.to_token_stream().into_iter().any(|t| t.to_string() == "impl");
        if is_opaque(&signature.output) {
            return;
        }
        for (number, value) in values.into_iter().rev() {
            let value = self.replacement(&value);
            let switched = quote! { if crate::mutant::is_on(#number) { return #value; } };
            if let Some(statement) = self.parsed(&[number], switched) {
                block.stmts.insert(0, statement);
            }
        }
    }

    fn binary(&mut self, own: &ExprBinary, mutants: &[(u32, String)]) -> Option<Expr> {
        let (left, operator, right) = (&own.left, &own.op, &own.right);
        let mut switched = quote! { (#left) #operator (#right) };
        for (number, other) in mutants {
            let other = self.replacement(other);
            switched = quote! {
                if crate::mutant::is_on(#number) { (#left) #other (#right) } else { #switched }
            };
        }
        let numbers: Vec<u32> = mutants.iter().map(|(number, _)| *number).collect();
        self.parsed(&numbers, quote! { (#switched) })
    }
}

impl VisitMut for Switches<'_> {
    fn visit_item_mod_mut(&mut self, own: &mut syn::ItemMod) {
        let is_conditional = own.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !is_conditional {
            visit_mut::visit_item_mod_mut(self, own);
        }
    }

    fn visit_item_const_mut(&mut self, _: &mut syn::ItemConst) {}

    fn visit_impl_item_const_mut(&mut self, _: &mut syn::ImplItemConst) {}

    fn visit_item_static_mut(&mut self, _: &mut syn::ItemStatic) {}

    fn visit_type_mut(&mut self, _: &mut syn::Type) {}

    fn visit_item_fn_mut(&mut self, own: &mut syn::ItemFn) {
        self.function(&own.sig, &mut own.block, |to, block| to.visit_block_mut(block));
    }

    fn visit_impl_item_fn_mut(&mut self, own: &mut syn::ImplItemFn) {
        self.function(&own.sig, &mut own.block, |to, block| to.visit_block_mut(block));
    }

    fn visit_trait_item_fn_mut(&mut self, own: &mut syn::TraitItemFn) {
        if let Some(block) = &mut own.default {
            self.function(&own.sig, block, |to, block| to.visit_block_mut(block));
        }
    }

    fn visit_expr_mut(&mut self, own: &mut Expr) {
        let mutants = if let Expr::Binary(binary) = &*own {
            let is_bound = binds(&binary.left) || binds(&binary.right);
            if is_bound { Vec::new() } else { self.at(binary.op.span(), "BinaryOperator") }
        } else if let Expr::Unary(unary) = &*own {
            self.at(unary.op.span(), "UnaryOperator")
        } else {
            Vec::new()
        };
        visit_mut::visit_expr_mut(self, own);
        let Some((number, _)) = mutants.first() else { return };
        let switched = if let Expr::Binary(binary) = &*own {
            self.binary(binary, &mutants)
        } else if let Expr::Unary(unary) = &*own {
            let inner = &unary.expr;
            let switched = quote! { (if crate::mutant::is_on(#number) { #inner } else { #unary }) };
            self.parsed(&[*number], switched)
        } else {
            None
        };
        if let Some(switched) = switched {
            *own = switched;
        }
    }

    fn visit_arm_mut(&mut self, own: &mut Arm) {
        let left_out = self.at(own.pat.span(), "MatchArm");
        let guards = own.guard.as_ref().filter(|(_, guard)| !binds(guard));
        let guards = guards.map(|(_, guard)| self.at(guard.span(), "MatchArmGuard"));
        let keeps_its_own = own.guard.is_some() && guards.is_none();
        visit_mut::visit_arm_mut(self, own);
        let numbers: Vec<u32> =
            left_out.iter().chain(guards.iter().flatten()).map(|own| own.0).collect();
        if numbers.is_empty() || keeps_its_own {
            return;
        }
        let mut guard =
            own.guard.as_ref().map_or(quote! { true }, |(_, guard)| quote! { (#guard) });
        for (number, value) in guards.iter().flatten() {
            let value = self.replacement(value);
            guard = quote! { (if crate::mutant::is_on(#number) { #value } else { #guard }) };
        }
        for (number, _) in &left_out {
            guard = quote! { (if crate::mutant::is_on(#number) { false } else { #guard }) };
        }
        if let Some(guard) = self.parsed::<Expr>(&numbers, guard) {
            own.guard = Some((Default::default(), Box::new(guard)));
        }
    }

    fn visit_expr_struct_mut(&mut self, own: &mut ExprStruct) {
        let fields = own.fields.iter().map(|field| self.at(field.span(), "StructField"));
        let mutants: Vec<_> = fields.map(|own| own.first().map(|(number, _)| *number)).collect();
        visit_mut::visit_expr_struct_mut(self, own);
        let Some(base) = own.rest.as_ref().map(ToTokens::to_token_stream) else { return };
        for (field, number) in own.fields.iter_mut().zip(mutants) {
            let Some(number) = number else { continue };
            let FieldValue { member, expr, .. } = &*field;
            let value =
                quote! { if crate::mutant::is_on(#number) { (#base).#member } else { #expr } };
            if let Some(switched) = self.parsed(&[number], quote! { #member: #value }) {
                *field = switched;
            }
        }
    }
}

/// Whether a condition binds names, for which it has to stand where it stands.
fn binds(own: &Expr) -> bool {
    struct Lets(bool);
    impl syn::visit::Visit<'_> for Lets {
        fn visit_expr_let(&mut self, _: &syn::ExprLet) {
            self.0 = true;
        }

        fn visit_block(&mut self, _: &Block) {}

        fn visit_expr_match(&mut self, _: &syn::ExprMatch) {}
    }
    let mut lets = Lets(false);
    syn::visit::Visit::visit_expr(&mut lets, own);
    lets.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switched(text: &str, genre: &str, column: usize, replacement: &str) -> String {
        let span = Place { start: Position { line: 1, column } };
        let [name, file] = ["", ""].map(str::to_owned);
        let (genre, replacement) = (genre.to_owned(), replacement.to_owned());
        let mutant = Mutant { name, file, genre, replacement, span };
        let (text, written) = switch(text, &BTreeMap::from([(7, &mutant)])).unwrap();
        assert_eq!(written, BTreeSet::from([7]), "{text}");
        assert_eq!(on_lines(&text, 2, 2), BTreeSet::from([7]), "{text}");
        let tokens: TokenStream = text.parse().unwrap();
        tokens.to_string().replace(' ', "").replace("crate::mutant::is_on(7u32)", "ON")
    }

    #[test]
    fn a_mutant_stands_behind_a_switch() {
        for (text, genre, column, replacement, expected) in [
            ("fn f()->u8{g()}", "FnValue", 12, "1", "fnf()->u8{ifON{return1;}g()}"),
            (
                "fn f(){g(a&&!b)}",
                "BinaryOperator",
                11,
                "||",
                "fnf(){g((ifON{(a)||(!b)}else{(a)&&(!b)}))}",
            ),
            ("fn f(){g(a&&!b)}", "UnaryOperator", 13, "", "fnf(){g(a&&(ifON{b}else{!b}))}"),
            (
                "fn f(){match a{1=>2,_=>3}}",
                "MatchArm",
                16,
                "",
                "fnf(){matcha{1if(ifON{false}else{true})=>2,_=>3}}",
            ),
            (
                "fn f(){match a{1 if b=>2,_=>3}}",
                "MatchArmGuard",
                21,
                "true",
                "fnf(){matcha{1if(ifON{true}else{(b)})=>2,_=>3}}",
            ),
            (
                "fn f()->S{S{a:1,..b}}",
                "StructField",
                13,
                "",
                "fnf()->S{S{a:ifON{(b).a}else{1},..b}}",
            ),
            (
                "impl S{fn f(a:u8)->bool{a>1}}",
                "BinaryOperator",
                26,
                "==",
                "implS{fnf(a:u8)->bool{(ifON{(a)==(1)}else{(a)>(1)})}}",
            ),
        ] {
            assert_eq!(switched(text, genre, column, replacement), expected, "{text}");
        }
    }

    #[test]
    fn what_asks_nothing_of_the_environment_stays() {
        for (text, column) in [
            ("const A: u8 = 1 + 2;", 17),
            ("const fn f() -> u8 { 1 + 2 }", 24),
            ("#[cfg(test)] mod tests { fn f() -> u8 { 1 + 2 } }", 43),
            ("fn f() { if let Some(1) = a && b {} }", 29),
        ] {
            let span = Place { start: Position { line: 1, column } };
            let [name, file, replacement] = ["", "", "-"].map(str::to_owned);
            let mutant =
                Mutant { name, file, genre: "BinaryOperator".to_owned(), replacement, span };
            let (text, written) = switch(text, &BTreeMap::from([(7, &mutant)])).unwrap();
            assert!(written.is_empty() && !text.contains("is_on"), "{text}");
        }
    }

    #[test]
    fn a_line_is_of_its_switch_or_of_its_neighbours() {
        let text = "a\nif crate :: mutant :: is_on (3u32) { b } else {\nif crate :: mutant :: is_on (4u32) { c\nd";
        assert_eq!(on_lines(text, 1, 1), BTreeSet::from([3]));
        assert_eq!(on_lines(text, 2, 3), BTreeSet::from([3, 4]));
        assert_eq!(on_lines(text, 4, 9), BTreeSet::from([4]));
    }
}
