// Stands for the methods of better-sqlite3 that no query of ours uses: tables and aggregates that are written in JavaScript.
module.exports = undefined;
