//! The commands in what people type, as far as these pages go: quotes, pipes, lists, redirections, `$( )` and comments.

/// Every simple command of a script, as words. What the shell would put in the place of `$( )` is one word, and the
/// commands inside are commands of their own.
pub(super) fn commands(script: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for line in script.replace("\\\n", " ").lines() {
        commands_of_line(line, &mut all);
    }
    all
}

fn commands_of_line(line: &str, all: &mut Vec<Vec<String>>) {
    let mut words = Words::default();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            _ if rest.starts_with("$(") => {
                let (inside, after) = rest[2..].split_once(')').unwrap_or_else(|| panic!("no end of $( in: {line}"));
                commands_of_line(inside, all);
                words.push("substituted");
                after
            }
            '"' if words.quote.is_none_or(|quote| quote == '"') => words.quoted('"', after),
            '\'' if words.quote.is_none() || words.quote == Some('\'') => words.quoted('\'', after),
            _ if words.quote.is_some() => words.push_char(c, after),
            '#' if words.word.is_none() => "",
            ' ' | '\t' => words.end_word(after),
            '|' | ';' | '&' => {
                all.extend(words.end_command());
                after
            }
            '>' | '<' => {
                // Where to or from is no word of the command.
                let target = after.trim_start_matches(['>', '<', ' ']);
                words.end_word(target.find([' ', '|', ';', '&']).map_or("", |end| &target[end..]))
            }
            _ => words.push_char(c, after),
        };
    }
    all.extend(words.end_command());
}

/// The words of a command so far.
#[derive(Default)]
struct Words {
    done: Vec<String>,
    word: Option<String>,
    quote: Option<char>,
}

impl Words {
    fn push(&mut self, text: &str) {
        self.word.get_or_insert_default().push_str(text);
    }

    fn push_char<'a>(&mut self, c: char, after: &'a str) -> &'a str {
        self.word.get_or_insert_default().push(c);
        after
    }

    fn quoted<'a>(&mut self, quote: char, after: &'a str) -> &'a str {
        self.push("");
        self.quote = if self.quote.is_none() { Some(quote) } else { None };
        after
    }

    fn end_word<'a>(&mut self, after: &'a str) -> &'a str {
        self.done.extend(self.word.take());
        after
    }

    fn end_command(&mut self) -> Option<Vec<String>> {
        self.end_word("");
        let words = std::mem::take(&mut self.done);
        (!words.is_empty()).then_some(words)
    }
}

#[test]
fn a_script_is_its_commands() {
    let script = "kubectl get x -n vouch | jq -r '.a | .b'   # it's | this\nkubectl \\\n  vouch \"a b\"c=\"$(kubectl get y)\" > f; true & umask 077\n";
    let words: Vec<Vec<String>> = commands(script);
    let lines: Vec<String> = words.iter().map(|words| words.join("_")).collect();
    assert_eq!(
        lines,
        [
            "kubectl_get_x_-n_vouch",
            "jq_-r_.a | .b",
            "kubectl_get_y",
            "kubectl_vouch_a bc=substituted",
            "true",
            "umask_077"
        ]
    );
}
