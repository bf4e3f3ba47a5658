/**
 * Operators that work element by element, or along one axis, and cost next to nothing: the runtime fuses them
 * with what is before them, so that a cut in front of one would change the last bits of the result.
 */
export const CHEAP: ReadonlySet<string> = new Set([
  ...[
    'Abs',
    'Add',
    'BatchNormalization',
    'Cast',
    'Celu',
    'Clip',
    'Div',
    'Dropout',
    'Elu',
    'Erf',
    'Exp',
    'Gelu',
  ],
  ...[
    'HardSigmoid',
    'HardSwish',
    'Identity',
    'LeakyRelu',
    'LogSoftmax',
    'Mish',
    'Mul',
    'Neg',
    'Pow',
    'PRelu',
  ],
  ...['Relu', 'Selu', 'Sigmoid', 'Softmax', 'Softplus', 'Softsign', 'Sqrt', 'Sub', 'Swish', 'Tanh'],
]);
