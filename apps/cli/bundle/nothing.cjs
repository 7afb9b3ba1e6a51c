// Stands for what is never used.
module.exports = {};
