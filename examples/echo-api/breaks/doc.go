// Package breaks has the switches with which the shop is broken on purpose, to
// see what its alerts say:
//
//	curl -X POST   -H 'Latido-Confirm: yes' http://127.0.0.1:9464/break/slow
//	curl -X DELETE -H 'Latido-Confirm: yes' http://127.0.0.1:9464/break/slow
//	curl http://127.0.0.1:9464/break/
//
// Each break is seen by one alert of domain.yaml, and by no other:
//
//	break    what happens                                         alert
//	slow     the supplier takes three seconds, and the shop       RespuestaLenta{endpoint="/inventario/proveedor"}
//	         waits for it in shop.(*Supplier).awaitAnswer
//	cpu      every sales report starts shop.forecastSales,        CPUAlta
//	         which takes all the cores
//	errors   the payment gateway answers nothing any more         PagosFallando{endpoint="/pagos/estado"}
//	leak     every export of the catalogue leaves goroutines      GoroutineLeak
//	         behind in shop.awaitPriceChange
//	silence  orders are answered with 202 and never processed     SinPedidos
//
// GoroutineLeak compares with half an hour ago: it is over when an even leak is
// no longer twice as high, after 55 minutes, or 50 seconds with -fast.
//
// The traffic of the example drives cpu, leak, errors and silence: without it
// nobody asks for what is broken. A break ends by itself after a quarter of an
// hour, and with the process. A switch that is off costs its part of the shop
// one atomic load.
package breaks
