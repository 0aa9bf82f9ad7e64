//! The graph of a plan as text, Mermaid, DOT or SVG: its reduced edges, and what each step does to the world.

use std::collections::HashMap;
use std::fmt::Write as _;

use layout::backends::svg::SVGWriter;
use layout::gv::{DotParser, GraphBuilder};

use super::{Plan, PlannedStep};
use crate::model::{Effect, StepId};

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of text.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
    /// An SVG picture.
    Svg,
}

/// Draws a plan's graph. The error is the layouter's, and means the graph cannot be drawn as a picture.
pub fn draw(plan: &Plan, format: Format) -> Result<String, String> {
    let nodes = Nodes::of(plan);
    match format {
        Format::Text => Ok(text(plan)),
        Format::Mermaid => Ok(mermaid(plan, &nodes)),
        Format::Dot => Ok(dot(plan, &nodes)),
        Format::Svg => svg(&dot(plan, &nodes)),
    }
}

/// Short names for the steps, since ids hold dots.
struct Nodes<'a> {
    names: HashMap<&'a StepId, usize>,
}

impl<'a> Nodes<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self { names: plan.steps.iter().enumerate().map(|(index, step)| (&step.id, index)).collect() }
    }

    /// The edges between steps, and from a group to the first steps inside it.
    fn edges(&self, plan: &'a Plan) -> Vec<(usize, usize, &'static str)> {
        let mut edges = Vec::new();
        for (index, step) in plan.steps.iter().enumerate() {
            for edge in &step.parents {
                edges.extend(self.names.get(&edge.step).map(|parent| (*parent, index, edge.because)));
            }
            if step.parents.is_empty() && step.depth > 0 {
                let outer = plan.steps[..index].iter().rposition(|outer| outer.depth + 1 == step.depth);
                edges.extend(outer.map(|outer| (outer, index, "inside")));
            }
        }
        edges
    }
}

fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for step in &plan.steps {
        let indent = "  ".repeat(step.depth);
        let _ = writeln!(out, "{indent}{} ({}, {})", step.id, step.kind, step.class.effect.as_str());
        for edge in &step.parents {
            let _ = writeln!(out, "{indent}  after {} ({})", edge.step, edge.because);
        }
    }
    out
}

fn mermaid(plan: &Plan, nodes: &Nodes<'_>) -> String {
    let mut out = String::from("flowchart TD\n");
    for (index, step) in plan.steps.iter().enumerate() {
        let label = format!("{}<br/>{}", step.id, step.kind);
        let shape = if step.gate { ("{{", "}}") } else { ("[", "]") };
        let _ =
            writeln!(out, "  n{index}{}\"{}\"{}:::{}", shape.0, label, shape.1, step.class.effect.as_str());
    }
    for (parent, child, because) in nodes.edges(plan) {
        let arrow = if because == "stands above" { "-->".to_owned() } else { format!("-- {because} -->") };
        let _ = writeln!(out, "  n{parent} {arrow} n{child}");
    }
    for effect in [Effect::Read, Effect::Change, Effect::Disrupt, Effect::Destroy] {
        let _ =
            writeln!(out, "  classDef {} fill:{},stroke:#333,color:#111", effect.as_str(), colour(effect));
    }
    out
}

fn dot(plan: &Plan, nodes: &Nodes<'_>) -> String {
    let mut out = String::from("digraph runbook {\n  node [shape=box];\n");
    for (index, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(
            out,
            "  n{index} [label=\"{}\", style=filled, fillcolor=\"{}\"];",
            label(step),
            colour(step.class.effect)
        );
    }
    for (parent, child, because) in nodes.edges(plan) {
        let label = if because == "stands above" { String::new() } else { format!(" [label=\"{because}\"]") };
        let _ = writeln!(out, "  n{parent} -> n{child}{label};");
    }
    out.push_str("}\n");
    out
}

fn label(step: &PlannedStep) -> String {
    let gate = if step.gate { ", a gate" } else { "" };
    format!("{}\\n{}, {}{gate}", step.id, step.kind, step.class.effect.as_str())
}

fn colour(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "#e8f1fa",
        Effect::Change => "#e6f4e1",
        Effect::Disrupt => "#fdeed2",
        Effect::Destroy => "#f9d9d6",
    }
}

fn svg(dot: &str) -> Result<String, String> {
    let graph = DotParser::new(dot).process()?;
    let mut builder = GraphBuilder::new();
    builder.visit_graph(&graph);
    let mut picture = builder.get();
    let mut writer = SVGWriter::new();
    picture.do_it(false, false, false, &mut writer);
    Ok(writer.finalize())
}
