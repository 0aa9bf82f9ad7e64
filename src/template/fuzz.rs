//! Properties that hold for every text and every expression.
