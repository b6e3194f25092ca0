package domain_test

import (
	"errors"
	"fmt"

	"github.com/latido-dev/latido/domain"
)

func ExampleLoad() {
	d, err := domain.Load("testdata/tienda.good.yaml")
	if err != nil {
		fmt.Println(err) // every mistake of the file, each with its line
		return
	}
	m, _ := d.Metric("pedidos_procesados")
	fmt.Println(m.Name, "is", m.Family)
	// Output: tienda.pedidos_procesados is tienda_pedidos_procesados_total
}

func ExampleParse() {
	_, err := domain.Parse("domain.yaml", []byte(`
prefix: educación
entity: curso
thresholds:
  - name: high_response_time
    metric: response_duraton
    above: 12s
`))
	fmt.Println(err)
	// Output:
	// domain.yaml:2:1: prefix: "educación" may only have a-z, 0-9 and _ between them, and starts with a letter (did you mean "educacion"?)
	// domain.yaml:6:5: thresholds[0].metric: unknown metric "response_duraton" (did you mean "response_duration"?)
}

func ExampleDomain_Validate() {
	d := domain.Domain{
		Prefix: "tienda",
		Entity: "pedido",
		Events: []domain.Event{{Name: "pedidos", Attributes: map[string][]string{"canal": {"web", "web"}}}},
	}
	err := d.Validate()
	fmt.Println(err)
	var mistake *domain.Error
	if errors.As(err, &mistake) {
		fmt.Println(mistake.Path)
	}
	// Output:
	// events[0].attributes.canal[1]: "web" is there twice
	// events[0].attributes.canal[1]
}
