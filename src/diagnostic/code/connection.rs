//! Codes of the area `connection`: what a runbook says about the systems it talks to.

use super::Code;

codes! {
    CONNECTION = "runbook::connection::declaration", "a connection that is not declared or not usable",
r"Steps name connections that the runbook declares under `connections:`, and environments say where those are. So a
runbook can be checked without any server, and no step can reach a system that its head does not mention. The
problem is one of these: the name is not declared; it is declared with another kind than the step needs; the
declaration has no kind or several; its `version` is not a comparison; or a step names no connection while there
are several to choose from.

Wrong:
    connections: { orders: postgres, archive: postgres }
    steps:
      - id: size
        sql: SELECT pg_database_size(current_database())
Right:
    connections: { orders: postgres, archive: postgres }
    defaults: { connection: orders }
    steps:
      - id: size
        sql: SELECT pg_database_size(current_database())
";
}
