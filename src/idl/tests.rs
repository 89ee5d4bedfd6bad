//! What IDL is understood, and that none brings the parser down.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::schema::{Annotation, Field, Type};
use super::*;

mod including;
mod mistakes;

/// Loads `main.thrift` from files given by path and text.
fn load(files: &[(&str, &str)]) -> Result<Schema, Vec<Problem>> {
    search(files, &[])
}

/// The same with folders in which includes are looked for.
fn search(files: &[(&str, &str)], folders: &[&str]) -> Result<Schema, Vec<Problem>> {
    let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    Schema::search(Path::new("main.thrift"), &folders, |path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    })
}

fn schema(text: &str) -> Schema {
    load(&[("main.thrift", text)]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A schema on one line per service, methods as they would be called by ids.
fn outline(schema: &Schema) -> String {
    let fields = |fields: &[Field]| {
        let each = fields.iter().map(|f| format!("{}:{} {}", f.id, shown(schema, &f.ty), f.name));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut lines = Vec::new();
    for service in schema.services() {
        for method in service.methods.values() {
            let mut line = format!("{}.{}({})", service.name, method.name, fields(&method.arguments));
            if method.oneway {
                line.insert_str(0, "oneway ");
            }
            if let Some(ty) = &method.returns {
                line += &format!(" -> {}", shown(schema, ty));
            }
            if !method.throws.is_empty() {
                line += &format!(" throws {}", fields(&method.throws));
            }
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn shown(schema: &Schema, ty: &Type) -> String {
    match ty {
        Type::List(element) => format!("list<{}>", shown(schema, element)),
        Type::Set(element) => format!("set<{}>", shown(schema, element)),
        Type::Map(key, value) => format!("map<{},{}>", shown(schema, key), shown(schema, value)),
        Type::Bool | Type::Byte | Type::I16 | Type::I32 | Type::I64 | Type::Double => schema.type_name(ty),
        Type::String | Type::Binary | Type::Uuid | Type::Enum(_) | Type::Struct(_) => schema.type_name(ty),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(outline(&schema(text)), expected, "{text}");
}

#[test]
fn methods_are_read_in_every_spelling() {
    check("service S { void f() }", "S.f()");
    check("service S { i32 f(1: i64 a, 2: bool b); }", "S.f(1:i64 a, 2:bool b) -> i32");
    check("service S { oneway void f(1:byte a 2:i8 b;3:i16 c) }", "oneway S.f(1:i8 a, 2:i8 b, 3:i16 c)");
    check("service S { async void f() }", "oneway S.f()");
    check("service S { uuid f(1: binary a, 2: slist b) }", "S.f(1:binary a, 2:string b) -> uuid");
    check(
        "exception E {} service S { void f() throws (1: E e) (deprecated), void g() }",
        "S.f() throws 1:exception E e\nS.g()",
    );
    check("service S { map<i32, list<set<double>>> f() }", "S.f() -> map<i32,list<set<double>>>");
}

#[test]
fn missing_and_nonpositive_ids_count_down() {
    check("service S { void f(i64 a, i64 b) }", "S.f(-1:i64 a, -2:i64 b)");
    check("service S { void f(i64 a, 7: i64 b, i64 c) }", "S.f(-1:i64 a, 7:i64 b, -2:i64 c)");
    check("service S { void f(0: i64 a, -5: i64 b, i64 c) }", "S.f(-1:i64 a, -2:i64 b, -3:i64 c)");
    check("service S { void f(0x0A: i64 a, +11: i64 b) }", "S.f(10:i64 a, 11:i64 b)");
    check("exception E {} service S { void f() throws (E e) }", "S.f() throws -1:exception E e");
}

#[test]
fn what_no_schema_needs_is_skipped() {
    let text = r#"
        # hash
        // slashes
        /* block **/ /** doc { */
        namespace * a.b.c
        namespace cpp apache.x (deprecated = "yes")
        namespace smalltalk.category Thrift-Test
        php_namespace old
        cpp_include "<unordered_map>"
        const i32 A = 0x1F; const double D = -1.5e-3, const string T = 'it''s'
        const map<string, list<i32>> M = {"a": [1, 2, A], "b": []} (x)
        senum Colours { "red", "blue" }
        enum E { A = 1 (note), B, C = 0x10; D } (x = "y")
        typedef map cpp_type "M" <string, set<i32 (a)> (b = "c")> Tags (d)
        struct Node xsd_all { 1: required Node & next = {"a": {}}, 2: Colours c = "red" xsd_optional (x), 3: Tags t } (final)
        union U { 1: i32 a; 2: string b }
        service S { Node f(1: E e (go.redact), 2: U u) (a.b.c = "x", d) } (e)
    "#;
    let loaded = schema(&text.replace("'it''s'", "'it\\'s'"));
    assert_eq!(outline(&loaded), "S.f(1:enum E e, 2:union U u) -> struct Node");
    let Some(Type::Struct(node)) = loaded.service("S").unwrap().methods["f"].returns else {
        panic!("no struct")
    };
    let fields: Vec<(i16, String)> =
        loaded.structure(node).fields.iter().map(|f| (f.id, shown(&loaded, &f.ty))).collect();
    let expected =
        [(1, "struct Node"), (2, "string"), (3, "map<string,set<i32>>")].map(|(id, ty)| (id, ty.to_owned()));
    assert_eq!(fields, expected);
}

#[test]
fn enums_count_on_from_the_last_number() {
    let loaded = schema("enum E { A, B, C = 16, D, E = -2, F } service S { E f() }");
    let Some(Type::Enum(id)) = loaded.service("S").unwrap().methods["f"].returns else { panic!("no enum") };
    let numbers: Vec<i32> = loaded.enumeration(id).constants.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [0, 1, 16, 17, -2, -1]);
}

#[test]
fn annotations_for_this_program_are_kept_where_they_stand() {
    let loaded = schema(
        "service S {\n  i64 get(1: i64 id (larder.tag = 'user', x = 'y')\n    2: string t (larder.ignore))\n\
         throws (1: E e) (other = 'z', larder.ttl = \"3\\\"0s\")\n} exception E {} (e = '1')",
    );
    let method = &loaded.service("S").unwrap().methods["get"];
    let shown = |annotations: &[Annotation]| {
        let each = annotations.iter().map(|one| (one.place.line, one.name.clone(), one.value.clone()));
        each.collect::<Vec<_>>()
    };
    assert_eq!(shown(&method.annotations), [(4, "ttl".to_owned(), Some("3\"0s".to_owned()))]);
    assert_eq!(shown(&method.arguments[0].annotations), [(2, "tag".to_owned(), Some("user".to_owned()))]);
    assert_eq!(shown(&method.arguments[1].annotations), [(3, "ignore".to_owned(), None)]);
}

#[test]
fn rules_name_arguments_by_name_or_id() {
    let loaded = schema(USERS);
    let check = |method: &str, dotted: &str, expected: Result<&[i16], &str>| {
        let found = loaded.service("Users").unwrap().methods[method].path(&loaded, dotted);
        let found = found.map_err(|unknown| unknown.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{dotted}");
    };
    check("get", "trace_id", Ok(&[2]));
    check("get", "3", Ok(&[3]));
    check("get", "ctx.request_id", Ok(&[3, 2]));
    check("get", "3.2", Ok(&[3, 2]));
    check("get", "traceid", Err("method get has no field traceid, did you mean trace_id?"));
    check("get", "9", Err("method get has no field 9"));
    check("get", "ctx.requestid", Err("struct Ctx has no field requestid, did you mean request_id?"));
    check("get", "id.x", Err("i64 has no fields, so no x"));
    check("get", "", Err("method get has no field "));
}

#[test]
fn rules_name_exceptions_by_field_type_or_id() {
    let loaded = schema(USERS);
    let check = |name: &str, expected: Result<i16, &str>| {
        let found = loaded.service("Users").unwrap().methods["get"].exception(&loaded, name);
        assert_eq!(found.map_err(|unknown| unknown.to_string()), expected.map_err(str::to_owned), "{name}");
    };
    check("not_found", Ok(1));
    check("NotFound", Ok(1));
    check("shared.NotFound", Ok(1));
    check("2", Ok(2));
    check("NotFond", Err("method get declares no exception NotFond, did you mean NotFound?"));
    check("0", Err("method get declares no exception 0"));
}

#[test]
fn the_sample_service_is_read() {
    let sample = include_str!("../../idl/users.thrift");
    check(
        sample,
        "UserService.getUser(1:i64 id, 2:string trace_id) -> struct User throws 1:exception NotFound not_found, 2:exception Unavailable unavailable\n\
         UserService.listUsers(1:set<i64> ids, 2:map<string,string> filter) -> list<struct User>\n\
         UserService.ping()\n\
         UserService.renameUser(1:i64 id, 2:string name)\n\
         oneway UserService.touch(1:i64 id)",
    );
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        let _ = load(&[("main.thrift", &text)]);
    }

    #[test]
    fn any_words_are_answered(words in prop::collection::vec(prop::sample::select(WORDS), 0..80)) {
        let _ = load(&[("main.thrift", &words.join(" "))]);
        let _ = load(&[("main.thrift", &words.join("\n"))]);
    }

    #[test]
    fn damaged_files_are_answered(at in 0..2000_usize, length in 0..40_usize, put in "[\\PC\n]{0,8}") {
        let mut text: Vec<char> = include_str!("../../idl/users.thrift").chars().collect();
        let start = at.min(text.len());
        let end = (start + length).min(text.len());
        text.splice(start..end, put.chars());
        let _ = load(&[("main.thrift", &text.into_iter().collect::<String>())]);
    }
}

const USERS: &str = "
    exception NotFound {} exception Busy {}
    struct Ctx { 1: string trace_id, 2: string request_id }
    service Users { i64 get(1: i64 id, 2: string trace_id, 3: Ctx ctx) throws (1: NotFound not_found, 2: Busy busy) }
";

const WORDS: &[&str] = &[
    "struct",
    "union",
    "exception",
    "service",
    "enum",
    "senum",
    "typedef",
    "const",
    "namespace",
    "include",
    "extends",
    "throws",
    "oneway",
    "void",
    "i32",
    "list",
    "map",
    "set",
    "cpp_type",
    "required",
    "optional",
    "A",
    "B",
    "a.b",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "[",
    "]",
    ",",
    ";",
    ":",
    "=",
    "&",
    "*",
    "1",
    "-1",
    "0x7f",
    "1.5",
    "\"x\"",
    "'",
    "/*",
    "#",
    "xsd_attrs",
    "uuid",
    "async",
];
