package document

import (
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
)

// Sans gives texts of a chart letters without serifs, in the size that they have.
func Sans(styles ...*text.Style) {
	for _, style := range styles {
		size := style.Font.Size
		style.Font = font.Font{Typeface: "Liberation", Variant: "Sans"}
		style.Font.Size = size
	}
}
