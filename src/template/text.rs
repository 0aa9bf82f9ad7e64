//! [`Template`]: a scalar that may hold `{{ … }}` and `{% … %}`.

use std::sync::Arc;

use minijinja::machinery::ast::{Expr, Stmt};
use serde_json::Value as Json;

use super::check::{Check, Read};
use super::error::TemplateError;
use super::scope::Scope;
use super::{machine, syntax, value};

/// A checked text with templates in it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Box<str>,
    reads: Vec<Read>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// No template at all.
    Plain,
    /// Exactly one `{{ … }}`, which keeps its type.
    Single,
    /// Anything else, which becomes text.
    Mixed,
}

impl Template {
    /// Parses and checks a text; every problem is reported.
    pub fn parse(source: &str) -> Result<Self, Vec<TemplateError>> {
        let (form, reads) = if syntax::is_plain(source) {
            (Form::Plain, Vec::new())
        } else {
            let stmt = syntax::template(source).map_err(|error| vec![error])?;
            let form = if single(source, &stmt).is_some() { Form::Single } else { Form::Mixed };
            (form, Check::statement(source, &stmt)?)
        };
        Ok(Self { inner: Arc::new(Inner { source: source.into(), reads, form }) })
    }

    /// A text without templates.
    pub fn constant(text: &str) -> Self {
        Self { inner: Arc::new(Inner { source: text.into(), reads: Vec::new(), form: Form::Plain }) }
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The variables it reads, in the order they stand in it.
    pub fn reads(&self) -> &[Read] {
        &self.inner.reads
    }

    /// Whether it gives the same in every scope.
    pub fn is_constant(&self) -> bool {
        self.inner.reads.is_empty()
    }

    /// The value: that of the expression if there is exactly one `{{ … }}` and nothing else, text otherwise.
    pub fn render(&self, scope: &Scope) -> Result<Json, TemplateError> {
        if self.inner.form != Form::Single {
            return self.render_text(scope).map(Json::from);
        }
        let stmt = syntax::template(self.source())?;
        match single(self.source(), &stmt) {
            Some(expr) => json_of(self.source(), expr, scope),
            None => machine::text_of(self.source(), &stmt, scope).map(Json::from),
        }
    }

    /// The value as text.
    pub fn render_text(&self, scope: &Scope) -> Result<String, TemplateError> {
        if self.inner.form == Form::Plain {
            return Ok(self.source().to_owned());
        }
        machine::text_of(self.source(), &syntax::template(self.source())?, scope)
    }
}

/// The expression of a text that is nothing but one `{{ … }}`. Trim marks may hide text around it, so the text itself
/// is asked, too.
fn single<'t, 's>(source: &str, stmt: &'t Stmt<'s>) -> Option<&'t Expr<'s>> {
    let Stmt::Template(template) = stmt else { return None };
    match template.children.as_slice() {
        [Stmt::EmitExpr(emit)] if source.starts_with("{{") && source.ends_with("}}") => Some(&emit.expr),
        _ => None,
    }
}

/// The JSON value of an expression.
pub(super) fn json_of(source: &str, expr: &Expr<'_>, scope: &Scope) -> Result<Json, TemplateError> {
    let found = machine::value_of(source, expr, scope)?;
    let place = super::place::range(source, expr);
    value::to_json(&found).map_err(|fault| fault.at(source, place))
}
